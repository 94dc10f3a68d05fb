complete -c ksmbd.control -s d -l debug -d 'Toggle ksmbd debug printing for COMPONENT and exit: all, smb, auth, vfs, oplock, ipc, conn, or rdma' -r
complete -c ksmbd.control -l check -d 'Check the configuration FILE and say what is wrong with it' -r -F
complete -c ksmbd.control -l top -d 'Show the status again every SECONDS, until interrupted' -r
complete -c ksmbd.control -l disconnect -d 'Send away WHOM and say how many went: session:ID, client:ADDRESS, or share:NAME, which ends what is in use of the share' -r
complete -c ksmbd.control -s s -l shutdown -d 'Shutdown both ksmbd.mountd and ksmbd and exit'
complete -c ksmbd.control -s r -l reload -d 'Notify ksmbd.mountd of changes and exit'
complete -c ksmbd.control -s l -l list -d 'List ksmbd.mountd shares and exit'
complete -c ksmbd.control -s c -l ksmbd-version -d 'Output ksmbd version information and exit'
complete -c ksmbd.control -l status -d 'Show sessions, shares in use, open files, locks and connections, and exit'
complete -c ksmbd.control -l json -d 'Show the status as JSON'
complete -c ksmbd.control -s v -l verbose -d 'Be verbose'
complete -c ksmbd.control -s V -l version -d 'Output version information and exit'
complete -c ksmbd.control -s h -l help -d 'Print help'
